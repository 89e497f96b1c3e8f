"""The life of a job: what it costs, when it is sent, how it is followed to its clip."""

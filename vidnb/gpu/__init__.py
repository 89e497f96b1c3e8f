"""The job server of a graphics card of one's own: `vidnb gpu`. Nothing of a notebook runs in its processes.

POST /gpu/jobs -> orders (checked) -> queue (SQLite) -> worker -> child (a process that has torch) -> results
                                                          |
GET /gpu/jobs/{id} <- app <-------------------------------+

folder      where it keeps token, queue, inputs and results, for one user of one machine
orders      a request, checked by the catalogue, as values that a renderer takes
queue       the jobs, on disk: they outlive the server
weights     which models the named folders hold
recipes     how each model is loaded, and how much memory it needs
worker      sends one job after the other to the renderer, and watches it
child       the renderer's process: a crash or the end of the memory is a failed job and no more
pipelines   diffusers; the only module that imports torch
app         the HTTP surface
server      all of it together
"""

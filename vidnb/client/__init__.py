"""The verbs: `asynchronous` has them as coroutines, `verbs` is their sync face."""

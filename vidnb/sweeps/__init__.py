"""Many recipes as one value: spanned by axes, priced and checked before anything is sent, run under one purse.

Reading order: `seeds`, `templates` and `axes` (what a person gives), `conditions` (which combinations to leave out),
`plan` (which jobs that makes), `outlook` (which of them are done, what the rest costs), `sweep` (the value itself),
`running` (sends, waits, pauses), `working` (the same in a process of its own), `promoting` (the best once more),
`grid`, `showing` and `reporting` (what a person sees).
"""

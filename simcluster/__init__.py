"""A simulated Kubernetes API server: speaks HTTP, so the official client and kubectl drive it.

It is a model of what GPUaaS relies on, for `make run` and for fast tests; `tests/cluster/` holds
the sentences that are true of it and of a real control plane alike.  No product code imports it.

The parts, from the ground up:

* `objects`: what is true of any object: kinds, quantities, selectors, patches, field ownership
* `rules`: who may do what, and how much of it fits: RBAC, quotas, limit ranges, scheduling
* `store` and `journal`: the objects, their versions and their history, in memory and in one file
* `registry`: the verbs of the API (create, apply, delete, ...), without HTTP
* `controllers`: what happens by itself: accounts, quotas counted, pods started, namespaces emptied
* `http`: requests to verbs, errors to answers, and the faults a test asks for
"""

"""A simulated Kubernetes API server: speaks HTTP, so the official client and kubectl drive it.

It is a model of what GPUaaS relies on, for `make run` and for fast tests; `tests/cluster/` holds
the sentences that are true of it and of a real control plane alike.  No product code imports it.

The parts, from the ground up:

* `objects`: what is true of any object: kinds, quantities, selectors, patches, field ownership
* `rules`: who may do what, and how much of it fits: RBAC, pod security, quotas, limits, scheduling
* `store` and `journal`: the objects, their versions and their history, in memory and in one file
* `registry`: the verbs of the API (create, apply, delete, ...), without HTTP
* `controllers`: what happens by itself: accounts, quotas counted, pods started, namespaces emptied
* `http`: requests to verbs, errors to answers, and the faults a test asks for

Where it knowingly differs from a real server:

* Everything takes effect at once: a quota counts from the moment it exists, a token dies with its
  account, a binding is known to the authorizer immediately.  A real server takes moments for each.
* There is no schema: unknown fields are stored, types are checked only where we got them wrong.
* Admission policies, priority classes, ingresses and routes are stored and do nothing; network
  policies let everything pass, because nothing is really run; quota scopes are not counted.
* DRA (resource.k8s.io), jobs, daemon sets and custom resources are not served; nor are exec,
  attach, port-forward and proxy.
* Only fields written by clients have owners: what controllers write belongs to nobody.
* A real server stores a PersistentVolumeClaim once more when the same is applied a second time.
"""

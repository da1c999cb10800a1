"""The concerns of a cycle: which items each is about, and what to do with one of them.

A phase is a module with ``due(cluster, now)``, the items that want attention, and
``act(item, world, now)``, what to do with one.  ``act`` returns how it ended, or a `Job` where the
cluster is asked: the jobs of a phase run side by side.
"""

"""What machines ask of the product itself: is it alive, is it ready, what has it counted.

An interface like the portal and the REST API, for Kubernetes' probes and for Prometheus.
"""

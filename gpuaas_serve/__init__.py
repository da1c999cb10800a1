"""`serve`: a model server in one line inside a workspace.

It writes a readable manifest and hands it to kubectl, so what it can do is what its user can.  It
ships in the workspace's image, and runs without the product.
"""

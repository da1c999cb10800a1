"""The whole product on one machine: `make run` needs nothing but Python >= 3.11.

Everything here runs before, beside or around the product, never inside it: the packages of the
product do not import this one.
"""

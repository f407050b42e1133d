"""A ServiceNow instance: tables, dictionary, encoded queries, the REST APIs, and its refusals.

Behaviour follows the vendor's documentation (release Australia) and published recordings; where nobody has published a
behaviour, the choice made here is said in the docstring and can be switched by an option.
"""

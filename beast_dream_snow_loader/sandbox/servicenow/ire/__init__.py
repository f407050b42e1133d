"""The identification and reconciliation engine: which CI a payload item is, and what becomes of it.

``payload`` reads, ``deduplicate`` and ``wiring`` look at the payload as a whole, ``identify`` decides, ``reconcile``
and ``links`` write, ``answer`` tells. ``engine`` runs them, item by item and in one transaction.
"""

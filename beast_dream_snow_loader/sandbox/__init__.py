"""A UniFi and a ServiceNow to run against, over real HTTP, with faults on request.

Shares no code with the clients it is there to catch out: nothing is imported here from above the ground floor.
"""

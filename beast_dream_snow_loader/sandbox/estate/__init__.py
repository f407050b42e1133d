"""One made-up network estate that every view of the sandbox's UniFi is drawn from."""

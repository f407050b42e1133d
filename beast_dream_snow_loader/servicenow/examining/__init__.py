"""What there is to find out about an instance before it is written to; reads, and one simulation."""

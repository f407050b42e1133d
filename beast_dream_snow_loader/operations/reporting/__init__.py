"""Reports as pages: what they look like, apart from what they say."""

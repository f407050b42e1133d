"""What ``snowload health`` looks at."""

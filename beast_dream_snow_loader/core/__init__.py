"""What is true: pure values and pure functions, standard library only."""

"""Values: native to canonical and back, how they correspond, and what a pair file may declare about them."""

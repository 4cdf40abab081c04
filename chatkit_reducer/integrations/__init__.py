"""What plugs this package into other systems: one room for each of them."""

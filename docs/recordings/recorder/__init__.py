"""What records: a server, a store, a scripted model, a client and the scenarios."""

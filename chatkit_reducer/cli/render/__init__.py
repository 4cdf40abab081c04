"""Draw threads, findings, policies and sweeps for people."""

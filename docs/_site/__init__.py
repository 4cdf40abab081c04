"""The parts of the documentation site that no package has."""

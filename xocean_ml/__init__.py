"""Ocean machine learning on labelled arrays."""

"""Design spaces: which encoders may be built, and how they relate."""

//! What the findings about an engine say.

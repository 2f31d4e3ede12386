//! The direction of the imports between the rooms.

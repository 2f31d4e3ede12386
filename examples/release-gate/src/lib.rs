//! Release gating with mpcheck. There is nothing here but tests: see `tests/` and `suites/`.

//! End-to-end tests: the real program against a real engine and real registries. They fail, and are never skipped, where there is none.

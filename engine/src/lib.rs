//! Vultus: speech in, a living emotional face out.

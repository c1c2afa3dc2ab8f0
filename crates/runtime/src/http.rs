//! HTTP jobs: one request per item.

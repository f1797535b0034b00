//! What the test programs can be: programs that leak, and healthy ones.

/// Leaks of `programs/leaks.cjs`, and the functions that leak.
pub(super) const NODE_LEAKS: [(&str, &str); 5] = [
    ("array", "listOrders"),
    ("map", "renderPage"),
    ("closure", "subscribe"),
    ("listeners", "handleConnection"),
    ("buffers", "keepUpload"),
];

/// Programs of `programs/healthy.cjs`.
pub(super) const NODE_HEALTHY: [&str; 10] = [
    "warmUp",
    "boundedCache",
    "churn",
    "sawtooth",
    "bufferPool",
    "bufferChurn",
    "queue",
    "listeners",
    "promises",
    "strings",
];

/// Leaks of `programs/leaks.py`, and the functions that leak.
pub(super) const PYTHON_LEAKS: [(&str, &str); 3] =
    [("list", "list_orders"), ("dict", "render_page"), ("closure", "subscribe")];

/// Programs of `programs/healthy.py`.
pub(super) const PYTHON_HEALTHY: [&str; 10] = [
    "churn",
    "bounded_cache",
    "queue",
    "sawtooth",
    "large_sawtooth",
    "buffer_pool",
    "strings",
    "memoize",
    "cycles",
    "threads",
];

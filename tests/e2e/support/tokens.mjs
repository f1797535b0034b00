// The tokens that every test gives to its edge, and the headers that carry them.

export const ADMIN_TOKEN = "0123456789abcdef-Admin-Token";
export const HEARTBEAT_TOKEN = "fedcba9876543210-Heartbeat-Token";

/** @param {string} token */
export const authorize = (token) => ({ authorization: `Bearer ${token}` });

export const ADMIN_HEADERS = authorize(ADMIN_TOKEN);
export const HEARTBEAT_HEADERS = authorize(HEARTBEAT_TOKEN);

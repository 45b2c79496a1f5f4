/**
 * Makes `send` and `replay` of the test kit sign, with the secrets of the settings that the connector asks to
 * sign with. Import this module before the connector, and the connector with `await import(…)`.
 */
export {};

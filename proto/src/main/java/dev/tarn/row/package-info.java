/**
 * Encodes rows for Redis and decodes them, and says how each value is answered. Pushes, the server,
 * training and verification share these rules. It knows only the generated messages.
 */
package dev.tarn.row;

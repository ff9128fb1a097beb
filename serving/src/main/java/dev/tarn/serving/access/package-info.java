/**
 * Decides who may connect and who may read what: TLS, certificates, tokens and the callers' file.
 * It uses the room {@code ops} only, to note the caller of a call.
 */
package dev.tarn.serving.access;

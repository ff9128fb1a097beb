/**
 * Shows operators what the server does: metrics, the access log, traces, the record of each call,
 * and the HTTP endpoints. It uses no other room; they hand it numbers and suppliers.
 */
package dev.tarn.serving.ops;

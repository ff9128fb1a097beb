/**
 * Starts the serving jar: {@code Main} reads the command line, and {@code LookupServer} makes all
 * parts of the server and wires them. It may use every room, and no room may use it.
 */
package dev.tarn.serving;

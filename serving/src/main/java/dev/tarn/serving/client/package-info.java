/**
 * Holds the command {@code ./tarn get}, which asks a server as any client would. It uses no other
 * room.
 */
package dev.tarn.serving.client;

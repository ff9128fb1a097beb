/**
 * Reads the command line and the settings, and prints answers. Both sides of Tarn use it; it knows
 * no other package but the generated messages of the API.
 */
package dev.tarn.cli;

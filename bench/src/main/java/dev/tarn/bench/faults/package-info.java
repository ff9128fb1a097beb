/**
 * The command {@code bench faults}: kills, stalls and cuts off pushes at random and checks every
 * answer meanwhile. Uses the test bed and the rooms of etl, and runs whole commands in processes of
 * their own.
 */
package dev.tarn.bench.faults;

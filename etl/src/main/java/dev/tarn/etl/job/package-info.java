/**
 * One class for each command. A job reads the command line, opens what it needs, calls the rooms
 * below and prints the result. No job uses another job: what two of them share is in a room below.
 */
package dev.tarn.etl.job;

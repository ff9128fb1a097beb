/**
 * Names every key that Tarn has in Redis and says how control data are written there. It knows no
 * other package of Tarn.
 */
package dev.tarn.redis;

/**
 * Live views while they are looked up: how far the live job is known to have come, and the merge of
 * an entity's base and live cells into a row. It uses the rooms {@code world}, {@code redis} and
 * {@code ops}, and knows nothing of requests.
 */
package dev.tarn.serving.live;

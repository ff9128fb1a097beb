package dev.tarn.etl.definition;

import java.time.Duration;

/**
 * What makes a window view live: kept up to date from the stream between pushes.
 *
 * @param maxLag lag beyond which its features are not answered
 * @param segment number of a partition's offsets that cells may hold together; a base begins and
 *     ends between two segments
 */
public record Live(Duration maxLag, long segment, Position position) {}

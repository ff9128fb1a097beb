package dev.tarn.etl.read;

import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.ViewVersion;
import java.util.Map;
import java.util.Set;

/**
 * The part of an answer that one view gives.
 *
 * @param sets by entity id
 * @param there the entities of which the view has a row
 * @param defaults by the names of features that were asked for
 */
record ViewAnswer(
    ViewVersion version,
    Map<String, FeatureSet> sets,
    Set<String> there,
    Map<String, Value> defaults) {}

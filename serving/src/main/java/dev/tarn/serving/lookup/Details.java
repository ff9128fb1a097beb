package dev.tarn.serving.lookup;

import dev.tarn.api.v1.GetOnlineFeaturesRequest;

/**
 * What a request wants of each entity beside its values.
 *
 * @param eventTimestamps the as-of of each row
 * @param stamps what the values were computed from
 */
record Details(boolean eventTimestamps, boolean stamps) {

  static final Details NONE = new Details(false, false);

  static Details of(GetOnlineFeaturesRequest request) {
    return new Details(request.getIncludeEventTimestamps(), request.getIncludeStamps());
  }
}

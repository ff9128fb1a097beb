package dev.tarn.serving.lookup;

import com.google.protobuf.Timestamp;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.layer.Layer;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.row.Values;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.lookup.AnswerParts.ViewParts;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.function.IntBinaryOperator;

/**
 * Turns stored rows into an answer, with the value and the status of each feature. It writes the
 * bytes that are sent straight from the rows: building the messages as objects takes several times
 * as long as all the rest of a lookup.
 */
final class Answers {

  // The tags of GetOnlineFeaturesResponse.results and of an entry's key and value in it.
  private static final int RESULT = GetOnlineFeaturesResponse.RESULTS_FIELD_NUMBER << 3 | 2;
  private static final int KEY = 1 << 3 | 2;
  private static final int VALUE = 2 << 3 | 2;

  /** The usual bytes of a FeatureSet's length: ten features need two, and so do a hundred. */
  private static final int LENGTH_BYTES = 2;

  /** The most memory in which an estimate makes the answer of one entity. */
  private static final int MOST_OF_SAMPLE = 1 << 20;

  private final InstantSource clock;
  private final CorruptRows corruptRows;

  Answers(InstantSource clock, CorruptRows corruptRows) {
    this.clock = clock;
    this.corruptRows = corruptRows;
  }

  /**
   * Makes the answer to one request: the GetOnlineFeaturesResponse of either service.
   *
   * @param expected the bytes that it will probably have
   * @param growth of the answer, see {@link WireBuffer}; what it throws ends the answer
   */
  WireBuffer of(
      AnswerParts parts,
      List<AskedId> ids,
      FetchedRows rows,
      boolean withEventTimestamps,
      int expected,
      IntBinaryOperator growth) {
    long now = Values.micros(clock.instant());
    WireBuffer answer = new WireBuffer(expected, growth);
    for (int i = 0; i < ids.size(); i++) {
      putEntity(answer, parts, ids.get(i).utf8(), rows, i, now, withEventTimestamps);
    }
    answer.putBytes(parts.versions());
    return answer;
  }

  /**
   * Estimates the bytes of an answer for which there is no memory: it makes those of a few
   * entities, and takes the others for alike, byte for byte of their rows.
   *
   * @param rows the rows of {@link FetchedRows#isSample}, as far as they are there
   * @param rowBytes the bytes of all rows
   */
  long estimate(
      AnswerParts parts,
      List<AskedId> ids,
      FetchedRows rows,
      boolean withEventTimestamps,
      long rowBytes) {
    long now = Values.micros(clock.instant());
    long ofAnswers = 0;
    long ofRows = 0;
    WireBuffer sample = new WireBuffer(0, Answers::growSample);
    for (int i = 0; i < ids.size(); i++) {
      if (rows.isSample(i) && rows.isKnown(i)) {
        sample.cutBack(0);
        try {
          putEntity(sample, parts, ids.get(i).utf8(), rows, i, now, withEventTimestamps);
          ofAnswers += sample.size();
        } catch (SampleTooLargeException e) {
          ofAnswers += e.needs;
        }
        ofRows += rows.bytesOf(i);
      }
    }
    return ofRows == 0
        ? parts.expectedBytes(ids.size())
        : (long) ((double) ofAnswers / ofRows * rowBytes);
  }

  private static int growSample(int has, int needs) {
    if (needs > MOST_OF_SAMPLE) {
      throw new SampleTooLargeException(needs);
    }
    return Math.max(2 * has, needs);
  }

  /** Ends the answer of one entity that has more bytes than an estimate takes. */
  private static final class SampleTooLargeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** The bytes of the answer up to the value for which there was no room, and of that. */
    private final int needs;

    SampleTooLargeException(int needs) {
      super(null, null, false, false);
      this.needs = needs;
    }
  }

  private void putEntity(
      WireBuffer answer,
      AnswerParts parts,
      byte[] id,
      FetchedRows rows,
      int index,
      long now,
      boolean withEventTimestamps) {
    List<ViewParts> views = parts.views();
    answer.putByte(RESULT);
    int result = answer.beginMessage(LENGTH_BYTES);
    answer.putByte(KEY);
    answer.putVarint(id.length);
    answer.putBytes(id);
    answer.putByte(VALUE);
    if (rows.isKnown(index)) {
      int set = answer.beginMessage(LENGTH_BYTES);
      for (int v = 0; v < views.size(); v++) {
        putView(answer, views.get(v), rows, v, index, id, now, withEventTimestamps);
      }
      answer.endMessage(set, LENGTH_BYTES);
    } else {
      answer.putBytes(parts.unknownEntity());
    }
    answer.endMessage(result, LENGTH_BYTES);
  }

  private void putView(
      WireBuffer answer,
      ViewParts parts,
      FetchedRows rows,
      int view,
      int index,
      byte[] id,
      long now,
      boolean withEventTimestamps) {
    byte[] row = rows.row(view, index);
    if (row == null) {
      answer.putBytes(parts.notFound());
      return;
    }
    Layer layer = rows.layer(view, index);
    int begin = answer.size();
    try {
      putRow(answer, parts, layer, row, now, withEventTimestamps);
    } catch (CorruptRowException e) {
      answer.cutBack(begin);
      answer.putBytes(parts.corrupt());
      corruptRows.found(parts.view().name(), layer, id, e);
    }
  }

  private static void putRow(
      WireBuffer answer,
      ViewParts parts,
      Layer layer,
      byte[] row,
      long now,
      boolean withEventTimestamps)
      throws CorruptRowException {
    RowReader reader = new RowReader(row);
    long eventMicros = layer.readEventTimestamp(reader);
    if (parts.view().isTooOld(eventMicros, now)) {
      answer.putBytes(parts.outsideMaxAge());
    } else {
      parts.values().writeRow(reader, answer);
    }
    if (withEventTimestamps) {
      Instant event = Values.instant(eventMicros);
      answer.putBytes(
          FeatureSet.newBuilder()
              .putEventTimestamps(
                  parts.view().name(),
                  Timestamp.newBuilder()
                      .setSeconds(event.getEpochSecond())
                      .setNanos(event.getNano())
                      .build())
              .build()
              .toByteArray());
    }
  }
}

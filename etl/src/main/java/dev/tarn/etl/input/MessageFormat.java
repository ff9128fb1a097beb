package dev.tarn.etl.input;

import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.StreamSource;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.types.StructType;

/**
 * Says how the values of a topic's messages are read as rows. A text in JSON means what it means in
 * a file.
 *
 * @param schema the columns of a row
 * @param timeColumn the column that no event may lack
 * @param avroSchema of messages in Avro, as JSON; null: messages are JSON
 * @param encoding of messages in JSON
 * @param schemaIds of messages in Avro: those of a schema registry that a message may begin with;
 *     empty: messages have none
 */
public record MessageFormat(
    StructType schema,
    String timeColumn,
    String avroSchema,
    TextFormats formats,
    String encoding,
    boolean allowsComments,
    List<Integer> schemaIds)
    implements Serializable {

  private static final String COMMENTS = "allowComments";
  private static final String SCHEMA_ID = "schema-id";

  private static final List<String> JSON_OPTIONS =
      List.of(
          "encoding",
          "charset",
          TextFormats.TIMESTAMP,
          TextFormats.TIMESTAMP_NTZ,
          TextFormats.DATE,
          TextFormats.LOCALE,
          COMMENTS);

  /**
   * The format of a stream source.
   *
   * @throws InputException if an option does not fit
   */
  public static MessageFormat of(Source source) {
    StreamSource stream = source.stream().orElseThrow();
    Options options = new Options(source.options());
    boolean isJson = stream.value() == StreamSource.Value.JSON;
    options.refuseOthersThan(isJson ? JSON_OPTIONS : List.of(SCHEMA_ID));
    return new MessageFormat(
        source.schema().orElseThrow(),
        source.timestamp().orElseThrow(),
        stream.avroSchema().orElse(null),
        TextFormats.of(options, source.epoch()),
        options.encoding().name(),
        isJson && options.flag(COMMENTS, false),
        schemaIds(options.text(SCHEMA_ID)));
  }

  private static List<Integer> schemaIds(Optional<String> text) {
    List<Integer> ids = new ArrayList<>();
    for (String id : text.map(t -> t.split(",", -1)).orElse(new String[0])) {
      try {
        ids.add(Integer.parseInt(id.strip()));
      } catch (NumberFormatException e) {
        throw new InputException(
            "option schema-id = %s: write the id that the schema registry gave the schema, or several with commas between them"
                .formatted(text.orElseThrow()),
            e);
      }
    }
    return List.copyOf(ids);
  }

  /** A reader of messages, for one thread. */
  public MessageReader reader() {
    return avroSchema == null ? new JsonMessages(this) : new AvroMessages(this);
  }
}

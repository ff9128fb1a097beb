package dev.tarn.etl.console;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonNull;
import com.google.gson.JsonSerializer;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Writes results as JSON. A record becomes an object with the record's fields in their order,
 * {@code asOf} as {@code as_of}. An empty Optional is left out; an empty OptionalDouble is null.
 */
public final class Json {

  private static final Gson GSON = gson().create();
  private static final Gson PRETTY = gson().setPrettyPrinting().create();

  private Json() {}

  /** The result in one line. */
  public static String of(Object result) {
    return GSON.toJson(result);
  }

  /** The result in many lines, for files that people read, too. */
  public static String pretty(Object result) {
    return PRETTY.toJson(result);
  }

  private static GsonBuilder gson() {
    JsonSerializer<Optional<?>> optionals =
        (value, type, context) ->
            value.isPresent() ? context.serialize(value.get()) : JsonNull.INSTANCE;
    return new GsonBuilder()
        .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
        .disableHtmlEscaping()
        .registerTypeAdapter(Optional.class, optionals)
        .registerTypeAdapter(OptionalDouble.class, new OptionalDoubles());
  }

  private static final class OptionalDoubles extends TypeAdapter<OptionalDouble> {

    @Override
    public void write(JsonWriter out, OptionalDouble value) throws IOException {
      if (value.isPresent()) {
        out.value(value.getAsDouble());
        return;
      }
      boolean serializesNulls = out.getSerializeNulls();
      out.setSerializeNulls(true);
      out.nullValue();
      out.setSerializeNulls(serializesNulls);
    }

    @Override
    public OptionalDouble read(JsonReader in) {
      throw new UnsupportedOperationException("results are only written");
    }
  }
}

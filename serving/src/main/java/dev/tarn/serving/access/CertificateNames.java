package dev.tarn.serving.access;

import io.grpc.Attributes;
import io.grpc.Grpc;
import io.grpc.ServerTransportFilter;
import java.security.cert.Certificate;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.naming.InvalidNameException;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/** Notes the names in the certificate of each connection's client. */
final class CertificateNames extends ServerTransportFilter {

  /** The subject's common name and the alternative names; missing without a certificate. */
  static final Attributes.Key<Set<String>> ATTRIBUTE =
      Attributes.Key.create("tarn-certificate-names");

  /** The types of alternative names that are texts: mail address, DNS name and URI. */
  private static final Set<Integer> TEXTS = Set.of(1, 2, 6);

  @Override
  public Attributes transportReady(Attributes connection) {
    SSLSession session = connection.get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    return session == null
        ? connection
        : connection.toBuilder().set(ATTRIBUTE, names(session)).build();
  }

  private static Set<String> names(SSLSession session) {
    Set<String> names = new HashSet<>();
    try {
      Certificate shown = session.getPeerCertificates()[0];
      if (shown instanceof X509Certificate certificate) {
        for (Rdn rdn : new LdapName(certificate.getSubjectX500Principal().getName()).getRdns()) {
          if (rdn.getType().equalsIgnoreCase("CN")) {
            names.add(rdn.getValue().toString());
          }
        }
        Collection<List<?>> alternatives = certificate.getSubjectAlternativeNames();
        if (alternatives != null) {
          alternatives.stream()
              .filter(name -> TEXTS.contains(name.get(0)))
              .forEach(name -> names.add(name.get(1).toString()));
        }
      }
    } catch (SSLPeerUnverifiedException e) {
      return Set.of();
    } catch (InvalidNameException | CertificateParsingException e) {
      // A certificate that can't be read belongs to no caller.
      return Set.of();
    }
    return Set.copyOf(names);
  }
}

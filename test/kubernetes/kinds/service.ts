import { isObject, objectsAt } from "../json.ts";
import { changed } from "./immutable.ts";
import type { Kind } from "./kinds.ts";

export const service: Kind = {
  setDefaults(object, cluster, old) {
    const spec = isObject(object.spec) ? object.spec : {};
    object.spec = spec;
    spec.type ??= "ClusterIP";
    spec.sessionAffinity ??= "None";
    spec.internalTrafficPolicy ??= "Cluster";
    spec.ipFamilies ??= ["IPv4"];
    spec.ipFamilyPolicy ??= "SingleStack";
    // An update that does not say the address keeps it.
    spec.clusterIP ??= old?.spec?.clusterIP ?? cluster.newAddress();
    spec.clusterIPs ??= [spec.clusterIP];
    for (const port of objectsAt(spec, "ports")) {
      port.protocol ??= "TCP";
      port.targetPort ??= port.port;
    }
    object.status ??= { loadBalancer: {} };
  },
  check: (object, old) => changed(object, old, ["clusterIP"]),
};

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.SafeModeAction;
import org.apache.hadoop.fs.StorageType;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DFSClient;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.client.HdfsDataOutputStream;
import org.apache.hadoop.hdfs.client.HdfsDataOutputStream.SyncFlag;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;

/** `Fill FILES`: makes a tree with everything that an fsimage can hold, and saves it while some files are open. */
public class Fill {
  static DistributedFileSystem fs;
  static DFSClient client;

  public static void main(String[] args) throws Exception {
    int files = Integer.parseInt(args[0]);
    Configuration conf = new Configuration();
    conf.setLong("dfs.blocksize", 1 << 20);
    FileSystem.enableSymlinks();
    fs = (DistributedFileSystem) FileSystem.get(conf);
    client = fs.getClient();
    many(files);
    wideAndDeep(files);
    hostileNames();
    attributes();
    erasureCoded();
    snapshots();
    List<FSDataOutputStream> open = openFiles();
    fs.setSafeMode(SafeModeAction.ENTER);
    fs.saveNamespace();
    fs.setSafeMode(SafeModeAction.LEAVE);
    System.out.println("saved with " + open.size() + " open files");
    // Without closing them.
    Runtime.getRuntime().halt(0);
  }

  static void file(String path, int size) throws Exception {
    try (FSDataOutputStream out = fs.create(new Path(path))) {
      out.write(new byte[size]);
    }
  }

  /** Through the client, because `Path` does not take every name. */
  static void empty(String path) throws Exception {
    client.create(path, true).close();
  }

  static void mode(String path, int mode) throws Exception {
    fs.setPermission(new Path(path), new FsPermission((short) mode));
  }

  static void many(int files) throws Exception {
    int perDirectory = Math.max(10, files / 200);
    Thread[] threads = new Thread[16];
    for (int t = 0; t < threads.length; t++) {
      int first = t;
      threads[t] = new Thread(() -> {
        try {
          for (int i = first; i < files; i += threads.length) {
            String path = "/big/d" + i / perDirectory % 7 + "/sub" + i / perDirectory + "/file-" + i;
            if (i % Math.max(1, files / 500) == 0) file(path, new Random(i).nextInt(9000));
            else empty(path);
            if (i % 10 == 0) {
              fs.setOwner(new Path(path), "user" + i % 37, "group" + i % 11);
              mode(path, i % 01000);
            }
            if (i % 17 == 0) fs.setTimes(new Path(path), 1000000000000L + i * 1001L, 1400000000000L + i);
            if (i % 13 == 0) fs.setReplication(new Path(path), (short) (1 + i % 5));
          }
        } catch (Exception e) {
          throw new RuntimeException(e);
        }
      });
      threads[t].start();
    }
    for (Thread thread : threads) thread.join();
  }

  static void wideAndDeep(int files) throws Exception {
    for (int i = 0; i < Math.min(files / 5, 6000); i++) empty("/big/wide/w" + i * 7919 % 100003);
    StringBuilder deep = new StringBuilder("/deep");
    for (int i = 0; i < 100; i++) deep.append("/l").append(i);
    file(deep + "/bottom", 11);
    file("/data/blocks5", 5 * 1048576 + 17);
    file("/data/one", 1);
    file("/data/exact", 1048576);
  }

  static void hostileNames() throws Exception {
    String[] names = {
      "with space", " lead", "trail ", "new\nline", "cr\rhere", "tab\there", "quote\"s", "apos'", "back\\slash",
      "per%41cent", "a+b?c#d&e=f", "*[]{}", "caf\u00e9", "cafe\u0301", "\u4e2d\u6587", "\ud83d\ude00", "\u202eright",
      "\u200bzero", "-dash", "...", "..x", ".hidden", "~", "$HOME", "`x`", "<xml>&amp;", "\u0001\u001f", "\u007f",
      "null\\0", "x".repeat(255), "\u4e2d".repeat(85)
    };
    client.mkdirs("/hostile", null, true);
    for (String name : names) {
      String dir = "/hostile/d " + name.substring(0, Math.min(80, name.length()));
      empty("/hostile/" + name);
      client.mkdirs(dir, null, true);
      empty(dir + "/in\t" + name.substring(0, Math.min(80, name.length())));
    }
  }

  static void attributes() throws Exception {
    fs.mkdirs(new Path("/empty/a/b/c"));
    mode("/empty/a", 01777);
    mode("/empty/a/b", 0);
    for (String name : new String[] {"ns", "ds", "both", "type"}) fs.mkdirs(new Path("/quota/" + name));
    fs.setQuota(new Path("/quota/ns"), 1000, HdfsConstants.QUOTA_DONT_SET);
    fs.setQuota(new Path("/quota/ds"), HdfsConstants.QUOTA_DONT_SET, 123456789L);
    fs.setQuota(new Path("/quota/both"), 77, 1L << 40);
    fs.setQuotaByStorageType(new Path("/quota/type"), StorageType.SSD, 1L << 30);
    fs.setQuotaByStorageType(new Path("/quota/type"), StorageType.DISK, 1L << 31);
    file("/quota/both/f", 100);
    for (String policy : new String[] {"HOT", "COLD", "WARM", "ALL_SSD", "ONE_SSD"}) {
      String dir = "/policy/" + policy;
      fs.mkdirs(new Path(dir));
      fs.setStoragePolicy(new Path(dir), policy);
      empty(dir + "/inherits");
      empty(dir + "/own");
      fs.setStoragePolicy(new Path(dir + "/own"), "COLD");
    }
    fs.mkdirs(new Path("/acl/dir"));
    acl("/acl/dir", "user:anna:rwx,group:staff:r-x,default:user:bert:rw-,default:group::r-x,default:group:ops:--x,default:other::---");
    empty("/acl/dir/inherited");
    client.mkdirs("/acl/dir/sub", null, true);
    empty("/acl/own");
    acl("/acl/own", "user:carl:r--,mask::rw-");
    fs.setXAttr(new Path("/acl/own"), "user.colour", "blue".getBytes());
    fs.setXAttr(new Path("/acl/own"), "user.bin", new byte[] {0, 1, (byte) 255});
    fs.setXAttr(new Path("/acl/own"), "trusted.t", new byte[0]);
    fs.setXAttr(new Path("/acl/dir"), "user.on dir", "x".getBytes());
    fs.createSymlink(new Path("/data/one"), new Path("/links/to-one"), true);
    client.createSymlink("../relative/\u00e9 nowhere", "/links/dangling", true);
  }

  static void acl(String path, String spec) throws Exception {
    fs.modifyAclEntries(new Path(path), AclEntry.parseAclSpec(spec, true));
  }

  static void erasureCoded() throws Exception {
    String[][] policies = {{"/ec/xor", "XOR-2-1-1024k"}, {"/ec/rs", "RS-3-2-1024k"}, {"/ec/xor/plain", "replication"}};
    for (String[] policy : policies) {
      if (!policy[1].equals("replication")) fs.enableErasureCodingPolicy(policy[1]);
      fs.mkdirs(new Path(policy[0]));
      fs.setErasureCodingPolicy(new Path(policy[0]), policy[1]);
    }
    file("/ec/xor/small", 1000);
    file("/ec/xor/large", 3 * 1048576 + 5);
    file("/ec/xor/empty", 0);
    file("/ec/xor/plain/rep", 10);
    empty("/ec/rs/nothing");
  }

  /** Under snapshots: deleted, changed, renamed within, out and in, again and again. */
  static void snapshots() throws Exception {
    for (String dir : new String[] {"/snap/a", "/snap/b", "/plain"}) {
      for (int i = 0; i < 20; i++) {
        file(dir + "/f" + i, i * 10);
        empty(dir + "/dir/g" + i);
        empty(dir + "/dir/deep/h" + i);
      }
      file(dir + "/gone/inner/x", 5);
      file(dir + "/moved/inner/y", 6);
    }
    fs.mkdirs(new Path("/snap/none"));
    for (String dir : new String[] {"/snap/a", "/snap/b", "/snap/none"}) fs.allowSnapshot(new Path(dir));
    fs.createSnapshot(new Path("/snap/a"), "s1");
    fs.createSnapshot(new Path("/snap/b"), "s1");
    gone("/snap/a/f0", "/snap/a/gone");
    move("/snap/a/f1", "/plain/from-a-f1");
    move("/snap/a/f2", "/snap/b/from-a-f2");
    move("/snap/a/f3", "/snap/a/f3 renamed");
    move("/plain/f4", "/snap/a/from-plain-f4");
    move("/snap/a/moved", "/plain/moved-from-a");
    move("/snap/b/moved", "/snap/a/moved-from-b");
    move("/plain/moved", "/snap/b/moved-from-plain");
    mode("/snap/a/f5", 0400);
    try (FSDataOutputStream out = fs.append(new Path("/snap/a/f6"))) {
      out.write(new byte[33]);
    }
    fs.truncate(new Path("/snap/a/f7"), 3);
    Thread.sleep(3000);
    empty("/snap/a/dir/new after s1");
    empty("/plain/moved-from-a/inner/new in moved");
    fs.createSnapshot(new Path("/snap/a"), "s2");
    fs.createSnapshot(new Path("/snap/b"), "s2 with \u00e9");
    move("/plain/moved-from-a/inner", "/snap/b/inner-again");
    move("/snap/b/from-a-f2", "/plain/f2 twice moved");
    move("/snap/a/f3 renamed", "/snap/a/dir/f3 again");
    gone("/snap/a/dir/deep/h0", "/snap/a/moved-from-b", "/snap/a/dir/g1", "/plain/from-a-f1");
    move("/snap/a/f8", "/snap/a/f8x");
    move("/snap/a/f8x", "/snap/a/f8");
    fs.createSnapshot(new Path("/snap/a"), "s3");
    fs.deleteSnapshot(new Path("/snap/a"), "s2");
    gone("/snap/b/dir");
    empty("/snap/b/dir");
    file("/snap/a/ren/z", 9);
    fs.createSnapshot(new Path("/snap/a"), "s4");
    move("/snap/a/ren", "/snap/a/ren2");
    fs.createSnapshot(new Path("/snap/a"), "s5");
    move("/snap/a/ren2/z", "/snap/a/z out");
    gone("/snap/a/ren2");
  }

  static void move(String from, String to) throws Exception {
    client.rename(from, to);
  }

  static void gone(String... paths) throws Exception {
    for (String path : paths) if (!fs.delete(new Path(path), true)) throw new Exception("not there: " + path);
  }

  static List<FSDataOutputStream> openFiles() throws Exception {
    List<FSDataOutputStream> open = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      FSDataOutputStream out = fs.create(new Path("/open/o" + i));
      out.write(new byte[100 * i]);
      if (i == 4) ((HdfsDataOutputStream) out).hsync(EnumSet.of(SyncFlag.UPDATE_LENGTH));
      else if (i > 1) out.hflush();
      open.add(out);
    }
    FSDataOutputStream out = fs.create(new Path("/snap/a/open under a snapshot"));
    out.write(new byte[10]);
    out.hflush();
    fs.createSnapshot(new Path("/snap/a"), "s6");
    open.add(out);
    return open;
  }
}

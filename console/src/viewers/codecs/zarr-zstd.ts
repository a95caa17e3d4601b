import { decompress } from 'fzstd';
import { readOnlyCodec } from './zarr-codec';

export default readOnlyCodec((bytes) => decompress(bytes));
